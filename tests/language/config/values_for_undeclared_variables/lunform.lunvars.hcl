zoen = "west"
