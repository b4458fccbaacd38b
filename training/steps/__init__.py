"""The store's steps of training: each reads partitions, calls `training`, and gives back rows."""
