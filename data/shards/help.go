package shards

// Help is what `mcvd data help` says.
const Help = `The HDF5 shards that the published code of MCVD trains on: BAIR robot pushing, KTH, Cityscapes or UCF-101, as
its converters write them.

Where from:  the data sets' owners, converted by the published code (github.com/voletiv/mcvd-pytorch, datasets/):
             BAIR robot pushing, KTH actions, Cityscapes (leftImg8bit_sequence), UCF-101. mcvd downloads nothing.
             mcvd data export --format hdf5 writes the layout, too
Licence:     that of each data set: ask its owners; Cityscapes' forbids passing it on

Layout of data.path, by data.options.layout:
  bair, cityscapes    train/shard_0001.hdf5 ..., test/shard_0001.hdf5 ...
  kth                 shard_0001.hdf5, persons.pkl
  ucf101              shard_0001.hdf5 ...

Splits:      as published: folders; KTH persons 1-20 and 21-25; UCF-101 by the counts in the first shard, every tenth
             video of the test. Validation is a part of training (data.options.valid)

  data: {name: shards, path: BAIR_h5, size: 64, channels: 3, options: {layout: bair}}
`
