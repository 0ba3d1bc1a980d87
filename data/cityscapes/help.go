package cityscapes

// Help is what `mcvd data help` says.
const Help = `Cityscapes: sequences of 30 images from a car in 50 cities, 2048x1024 in colour, 17 a second (Cordts et al. 2016),
as their owners distribute them. For the HDF5 files of the published code there is the data set shards.

Where from:  https://www.cityscapes-dataset.com (an account is needed): leftImg8bit_sequence_trainvaltest.zip, 324 GB
Licence:     the owners' own, for non-commercial use

Layout of data.path:
  leftImg8bit_sequence/train/aachen/aachen_000000_000000_leftImg8bit.png     the outer folder may be missing
  leftImg8bit_sequence/val/frankfurt/...
  leftImg8bit_sequence/test/berlin/...

Splits:      the owners': train, val (validation) and test

Frames are the middle, by default a square. The images of a city are cut, by name, into sequences of 30.

  data: {name: cityscapes, path: cityscapes, size: 128, channels: 3}
`
