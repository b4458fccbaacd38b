"""What must be true of data between layers: schemas, units, expectations, shard layouts."""
