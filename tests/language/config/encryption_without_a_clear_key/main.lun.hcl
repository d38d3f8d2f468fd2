variable "name" {
  default = "LUNFORM_KEY"
}

lunform {
  encryption {
    key {
      env  = "LUNFORM_KEY"
      file = "lunform.key"
    }
    key { env = var.name }
    old_key {}
    old_key { command = "vault read" }
    old_key { command = ["vault", 7] }
    old_key { passphrase = "correct horse" }
    enforced = true
  }
  encryption {}
}
