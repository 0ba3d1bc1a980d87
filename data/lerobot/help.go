package lerobot

// Help is what `mcvd data help` says.
const Help = `Robot recordings in LeRobot's format v3: MP4s that hold many episodes each, and an index in Parquet files. An episode
is a video.

Where from:  recordings of one's own, or those that others have put on the Hugging Face hub
             (hf download --repo-type dataset NAME --local-dir FOLDER), or mcvd data export --format lerobot.
             mcvd downloads nothing
Licence:     that of the recording; its owners state it beside the files

Layout of data.path:
  meta/info.json
  meta/episodes/chunk-000/file-000.parquet ...
  videos/observation.images.top/chunk-000/file-000.mp4 ...   a folder for each camera (data.options.camera)
The folder data, with states and actions, is not read. Older formats (v2) are refused: convert them with LeRobot's script
convert_dataset_v21_to_v30.

Splits:      those of meta/info.json. Most recordings have only train: a hash of an episode's number then takes validation
             and test from it (data.options.valid and test)

  data: {name: lerobot, path: recording, size: 64, channels: 3, options: {camera: observation.images.top}}
`
