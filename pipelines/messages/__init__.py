"""Instruction data: conversations -> token shards with a mask of what is asked for."""
