"""Pictures: decode untrusted bytes, hash, resize, draw."""
