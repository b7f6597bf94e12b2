"""Does the program do what its commands say, run as people run it?"""
