package kth

// Help is what `mcvd data help` says.
const Help = `KTH: 25 persons walk, jog, run, box, wave and clap; 599 grey films of 160x120 (Schüldt, Laptev and Caputo 2004),
as their owners distribute them. For the HDF5 file of the published code there is the data set shards.

Where from:  https://www.csc.kth.se/cvap/actions: six ZIP files, one for each action, and 00sequences.txt
Licence:     for non-commercial use

Layout of data.path:
  walking/person01_walking_d1_uncomp.avi     also in a folder raw
  running/person01_running_d1_uncomp.avi
  00sequences.txt                            only for data.options.sequences

Splits:      as published: persons 21 to 25 are the test; of persons 1 to 20, some are for validation. Videos are
             whole files; with data.options.sequences: 00sequences.txt they are the ranges of KTH's own list.

  data: {name: kth, path: kth, size: 64, channels: 1}
`
