"""What the pages of several verbs share: the frame, its style and scripts, small photos, numbers as people write them."""
