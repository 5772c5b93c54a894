print("each")
