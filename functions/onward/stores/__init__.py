"""Where the documents are kept: one module per store, one contract suite for all."""
