package folder

// Help is what `mcvd data help` says.
const Help = `A folder of videos: files that ffmpeg reads, and sub-folders of PNG or JPEG frames. They are decoded once,
into a cache of small frames.

Where from:  your own films, or any data set of videos
Licence:     that of the videos

Layout of data.path:
  train/walk.mp4               train/, valid/ and test/ are the splits, if there are any
  train/more/run.avi
  valid/clip7/0001.png         a folder of images is a video, in the order of names
  test/jump.mov

Splits:      by these folders; otherwise a hash of a video's name decides (data.options.valid and test)

  data: {name: folder, path: clips, size: 64, channels: 3}
`
