{
  "volume": {}
}
