locals {
  a = var
  b = path
  c = path.nowhere
  d = lunform.workspaces
  e = volume
  f = "${path.module}/${path.cwd}/${lunform.workspace}"
}
