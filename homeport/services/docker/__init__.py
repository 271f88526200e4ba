"""Docker Engine: its connection and its images. Only what carries this portal's label is ever touched."""
