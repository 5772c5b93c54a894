def load(uris):
    return [uri.rpartition("/")[2] for uri in uris]
