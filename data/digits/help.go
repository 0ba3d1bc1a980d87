package digits

// Help is what `mcvd data help` says.
const Help = `Moving digits: drawn while training, in a built-in font or with MNIST's digits.

Where from:  built in; MNIST's files by scripts/install-data.sh mnist
Licence:     the font's (BSD); MNIST's: Creative Commons Attribution-Share Alike 3.0

Layout:      nothing on disk, or a folder data.options.mnist with
  train-images-idx3-ubyte      or with .gz
  t10k-images-idx3-ubyte

Splits:      a billion videos for training, 10,000 each for validation and test

  data: {name: digits, size: 64, channels: 1, flip: false, options: {digits: 2}}
`
