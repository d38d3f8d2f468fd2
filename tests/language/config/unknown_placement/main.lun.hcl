lunform {
  placement = "headrom"
}
