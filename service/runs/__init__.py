"""What can be done with runs from outside: start, follow, look at and steer them."""
