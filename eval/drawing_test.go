package eval

import "testing"

func TestDrawing(t *testing.T) {
	for _, tt := range []struct {
		job  Job
		want string
	}{
		{Job{Predict, 12, 3, "hierarchy2", nil}, `     0         10
1  oo...#...#...#
2  oo###o...o...-
3  ----oo###o...o
4  --------oo###o
o given, # generated, - there but not given, . not there yet
`},
		{Job{Interpolate, 8, 3, "bidirectional", nil}, `     0
1  oo###.....--
2  -----..###oo
3  --oo-##oo---
o given, # generated, - there but not given, . not there yet
`},
		{Job{Predict, 4, 2, "rolling", nil}, `     0
1  oo##~.
2  --oo##
o given, # generated, ~ still noisy, - there but not given, . not there yet
`},
		{Job{Predict, 4, 1, "rolling", nil}, `     0
1  oo#~~.
2  -oo#~~
3  --oo#~
4  ---oo#
o given, # generated, ~ still noisy, - there but not given, . not there yet
`},
		{Job{Generate, 4, 3, "", nil}, `   0
1  ###.
2  -oo#
o given, # generated, - there but not given, . not there yet
`},
		{Job{Retrodict, 4, 3, "", nil}, `   0
1  .###oo
2  #oo---
o given, # generated, - there but not given, . not there yet
`},
	} {
		if got := DrawingText(Draw(list(t, tt.job, model232), tt.job, model232)); got != tt.want {
			t.Errorf("%+v is drawn as\n%swant\n%s", tt.job, got, tt.want)
		}
	}
}
