"""What goes on a board: which pins its chip has, which parts are wired to them."""
