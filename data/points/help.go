package points

// Help is what `mcvd data help` says.
const Help = `Points in the plane, around an S-curve or two moons: drawn while training.

Where from:  built in, as scikit-learn's make_s_curve and make_moons draw them
Licence:     none

Layout:      nothing on disk; a point is two frames, filled with its x and with its y

Splits:      data.options.points for training, 10,000 each for validation and test

  data: {name: points, size: 1, channels: 1, flip: false, options: {curve: s_curve}}
`
