// Package webpage builds web pages that load nothing from elsewhere: of a server, or as one file.
// It has what they share, which is the look, charts drawn with uPlot, and a content security policy.
package webpage

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

//go:embed assets
var assets embed.FS

// Page is what one page adds to what all have.
type Page struct {
	Title string // plain text
	Body  string // HTML, without <body>
	Style string // CSS
	// Script is JavaScript. It finds uPlot, and `charts` (assets/charts.js), which draws with it.
	Script string
}

// Kinds of [Page.Files].
const (
	kindHTML   = "text/html; charset=utf-8"
	kindCSS    = "text/css; charset=utf-8"
	kindScript = "text/javascript; charset=utf-8"
)

// File is a file of a page: its content type and its text.
type File struct{ Kind, Text string }

// Files are the page as files of a server, by path: "/", "/page.css" and "/page.js". They need the
// headers of [Policy] with 'self' for both.
func (p Page) Files() map[string]File {
	return map[string]File{
		"/":         {kindHTML, p.frame("", `<link rel="stylesheet" href="page.css">`, `<script src="page.js"></script>`)},
		"/page.css": {kindCSS, p.style()},
		"/page.js":  {kindScript, p.script()},
	}
}

// Alone is the page as one file that needs no server and no network. data is JSON as package json
// writes it, without a "<"; the page's script finds it in the element "data". Whatever data and body
// hold, nothing but the page's script runs.
func (p Page) Alone(data []byte) string {
	style, script := p.style(), p.script()
	policy := `<meta http-equiv="Content-Security-Policy" content="` + Policy(hash(script), hash(style)) + `">`
	return p.frame(policy, "<style>"+style+"</style>",
		`<script type="application/json" id="data">`+string(data)+"</script>\n<script>"+script+"</script>")
}

// frame puts parts into the HTML that all pages have.
func (p Page) frame(policy, style, script string) string {
	return strings.NewReplacer("<!-- policy -->", policy, "<!-- title -->", html.EscapeString(p.Title), "<!-- style -->", style,
		"<!-- body -->", p.Body, "<!-- script -->", script).Replace(asset("frame.html"))
}

func (p Page) style() string {
	return asset("uPlot.min.css") + "\n" + asset("base.css") + "\n" + p.Style
}

// script begins with uPlot's licence, which wants to go with it, into files, too.
func (p Page) script() string {
	return "/* uPlot:\n" + asset("uPlot.LICENSE") + "*/\n" + asset("uPlot.iife.min.js") + "\n" + asset("charts.js") + "\n" + p.Script
}

// Policy is the content security policy of a page: whatever a log or a name holds, nothing but these
// scripts runs, and nothing is loaded from elsewhere. scripts and styles are 'self' or hashes.
func Policy(scripts, styles string) string {
	return "default-src 'none'; script-src " + scripts + "; style-src " + styles +
		"; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func asset(name string) string {
	text, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(fmt.Sprintf("webpage: %v", err)) // it is embedded
	}
	return string(text)
}

// Number has six digits in JSON, more than a screen shows, and is null if it is not finite.
type Number float64

// MarshalJSON writes the number.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', 6, 64), nil
}
