"""Speaking into live calls: one press of the button, and the socket it comes over."""
