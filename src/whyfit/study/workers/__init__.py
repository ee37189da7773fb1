"""Who trains: this process, other processes, a cluster, or any executor; all give the same bits."""
