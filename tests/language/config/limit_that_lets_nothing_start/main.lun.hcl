provider "sandbox" {
  max_calls = 0
}

provider "sandbox" {
  alias     = "half"
  max_calls = 2.5
}

provider "sandbox" {
  alias     = "words"
  max_calls = "a few"
}

provider "sandbox" {
  alias     = "text"
  max_calls = "4"
}
