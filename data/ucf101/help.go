package ucf101

// Help is what `mcvd data help` says.
const Help = `UCF-101: 13,320 films of 101 human actions from YouTube, 320x240 in colour (Soomro, Zamir and Shah 2012), as
their owners distribute them. For the HDF5 files of the published code there is the data set shards.

Where from:  https://www.crcv.ucf.edu/data/UCF101.php: UCF101.rar and UCF101TrainTestSplits-RecognitionTask.zip
Licence:     the owners state none

Layout of data.path:
  UCF-101/Archery/v_Archery_g01_c01.avi              the outer folders may be missing
  ucfTrainTestlist/trainlist03.txt
  ucfTrainTestlist/testlist03.txt

Splits:      the owners' third division, as published: every tenth video of the test's list is the test; of the
             training videos, some are for validation. data.options.fold and data.options.test_every choose others.

Frames are 4/3 times as wide as high, then cropped to a square: at random in training, in the middle otherwise.

  data: {name: ucf101, path: ucf101, size: 64, channels: 3}
`
