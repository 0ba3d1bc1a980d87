package webpage

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestNumbers(t *testing.T) {
	for want, x := range map[string]Number{"null": Number(math.NaN()), "0.123457": 0.123456789, "2e-08": 2e-8, "0": 0} {
		if got, err := json.Marshal(x); err != nil || string(got) != want {
			t.Errorf("%g is written %s, error %v, want %s", x, got, err, want)
		}
	}
	if got, err := json.Marshal(Number(math.Inf(-1))); err != nil || string(got) != "null" {
		t.Errorf("infinity is written %s, error %v, want null", got, err)
	}
}

// A title is text, and what looks like a place in the frame stays what it is.
func TestPartsStayWhereTheyAre(t *testing.T) {
	p := Page{Title: "</title><script>x", Body: "<p>a <!-- script --> b</p>", Style: "p { color: red }", Script: "let mine;"}
	text := p.Alone([]byte(`{"a":1}`))
	for _, want := range []string{"<title>&lt;/title&gt;&lt;script&gt;x</title>", "<p>a <!-- script --> b</p>", "p { color: red }</style>",
		"let mine;</script>", `<script type="application/json" id="data">{"a":1}</script>`, "Leon Sorokin"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is there %d times, want once", want, strings.Count(text, want))
		}
	}
	if n := strings.Count(text, "<script"); n != 2 {
		t.Errorf("%d scripts, want the data and the page's", n)
	}
	files := p.Files()
	if len(files) != 3 || !strings.Contains(files["/"].Text, `src="page.js"`) || !strings.Contains(files["/page.js"].Text, "let mine;") {
		t.Errorf("files %d", len(files))
	}
}
