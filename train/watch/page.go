package watch

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html"
	"strings"
)

//go:embed assets
var assets embed.FS

// The page's parts, in the order in which a browser needs them. uPlot draws the curves; its licence
// wants to go with it, into reports, too.
var (
	scripts = []string{"uPlot.iife.min.js", "charts.js", "samples.js", "page.js"}
	styles  = []string{"uPlot.min.css", "page.css"}
)

// served is a file that the server has.
type served struct {
	kind string
	text []byte
}

// files are all that the server has but what is in the runs, by path.
func files() map[string]served {
	page := strings.NewReplacer("<!-- style -->", `<link rel="stylesheet" href="page.css">`, "<!-- policy -->", "", "<!-- title -->", "mcvd",
		"<!-- script -->", `<script src="page.js"></script>`).Replace(asset("page.html"))
	return map[string]served{
		"/{$}":      {"text/html; charset=utf-8", []byte(page)},
		"/page.css": {"text/css; charset=utf-8", []byte(joined(styles))},
		"/page.js":  {"text/javascript; charset=utf-8", []byte(script())},
	}
}

// alone is the page as one file that needs no server. Data is a message in JSON, as package json
// writes it: without a "<".
func alone(title, data string) string {
	style, script := joined(styles), script()
	tag := policy(hash(script), hash(style))
	return strings.NewReplacer(
		"<!-- policy -->", `<meta http-equiv="Content-Security-Policy" content="`+tag+`">`,
		"<!-- title -->", html.EscapeString(title),
		"<!-- style -->", "<style>"+style+"</style>",
		"<!-- script -->", `<script type="application/json" id="data">`+data+"</script>\n<script>"+script+"</script>",
	).Replace(asset("page.html"))
}

// policy is the content security policy of the page: whatever a log or a name holds, nothing but
// these scripts runs, and nothing is loaded from elsewhere.
func policy(scripts, styles string) string {
	return "default-src 'none'; script-src " + scripts + "; style-src " + styles +
		"; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
}

func script() string { return "/* uPlot:\n" + asset("uPlot.LICENSE") + "*/\n" + joined(scripts) }

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func joined(names []string) string {
	var all strings.Builder
	for _, name := range names {
		all.WriteString(asset(name) + "\n")
	}
	return all.String()
}

func asset(name string) string {
	text, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(fmt.Sprintf("watch: %v", err)) // it is embedded
	}
	return string(text)
}
