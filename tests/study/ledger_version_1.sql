-- A ledger as the first version made it. Never changed: files like it are on people's disks.
PRAGMA application_id = 2003200372;
PRAGMA user_version = 1;
CREATE TABLE blocks (key BLOB PRIMARY KEY, result BLOB NOT NULL) WITHOUT ROWID;
