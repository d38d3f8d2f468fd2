host "kvm" {
  provider = tgt
  address  = "192.0.2.1"
}
