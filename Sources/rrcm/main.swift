print("rrcm")
