package kinetics

// Help is what `mcvd data help` says.
const Help = `Videos that a CSV file lists, as those of Kinetics: clips of 10 seconds from YouTube (Kay et al. 2017 and later).

Where from:  https://github.com/cvdfoundation/kinetics-dataset
Licence:     of the lists Creative Commons Attribution 4.0; the videos are their authors'

Layout of data.path:
  train.csv                                       label,youtube_id,time_start,time_end,split
  val.csv                                         or validate.csv
  test.csv
  train/abseiling/0wR5jVB-WPk_000417_000427.mp4   also in train/ or in data.path itself

Splits:      a list for each. data.options.csv names one list for all: its column split divides them or, where it has
             none, a hash of the names (data.options.valid and test). A list without names of columns has a file in
             the first column, and its label in the second. Files that are missing are counted and left out.

  data: {name: kinetics, path: kinetics, size: 64, channels: 3, fps: 10}
`
