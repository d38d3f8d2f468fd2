a = <<"EOT"
text
EOT
b = << EOT
text
EOT
c = [<<END
text
END, 1]
d = <<EOT
text ${x
EOT
