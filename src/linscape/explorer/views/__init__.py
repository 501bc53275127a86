"""The views of the page, one a file: what the library is asked, how it is drawn, and the call."""
