"""whyfit inside a program or a notebook: trained models, watched blocks, and what they show."""
