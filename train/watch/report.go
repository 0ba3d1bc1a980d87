package watch

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"time"

	"mcvd/configs/atomicfile"
	"mcvd/train/runs"
)

// maxEmbedded is of how many steps a report shows samples, for each run: those of more would make a
// file that no browser likes to open.
const maxEmbedded = 20

// Report writes the page with everything that it shows into one HTML file, which needs no server
// and no network. Of the samples it has those of at most 20 steps of a run, evenly spread: films,
// and the sheets where there are none. A problem of a run is shown on the page.
func Report(path string, all []*runs.Run) error {
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
		r.Samples = spread(r.Samples, maxEmbedded)
	}
	v := viewer{address: func(run int, name string) string {
		picture, err := all[run].ReadSample(name, maxSample)
		if err != nil {
			return ""
		}
		return "data:" + pictureKind(name) + ";base64," + base64.StdEncoding.EncodeToString(picture)
	}}
	data, err := json.Marshal(v.next(time.Now(), all, make([]error, len(all))))
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(tmp *os.File) error {
		_, err := tmp.WriteString(page(strings.Join(names, ", ")).Alone(data))
		return err
	})
}

// spread picks at most so many samples, the first and the last among them, and one picture of each.
func spread(all []runs.Sample, most int) (some []runs.Sample) {
	n := min(len(all), most)
	for i := range n {
		s := all[len(all)-1]
		if i < n-1 {
			s = all[i*(len(all)-1)/(n-1)]
		}
		if s.Film != "" {
			s.Sheet = ""
		}
		some = append(some, s)
	}
	return some
}
