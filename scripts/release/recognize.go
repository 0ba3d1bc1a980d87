package main

import (
	"crypto/sha256"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// accepted are the licences under which code may be linked into mcvd, which is under Apache-2.0. They
// ask for no more than their text beside the program. GooglePatentsFile grants rights to patents.
var accepted = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0", "FTL", "GooglePatentsFile", "ISC", "MIT", "OFL-1.1", "SunPro"}

// known is the share of a text, in percent, that must be licences word for word. The rest are names
// and a few sentences. pkg.go.dev has the same bound.
const known = 75

// A reading says what a person found in a text in which no program recognizes a licence that is
// accepted. It holds for these words only: if they change, somebody has to read them again.
type reading struct {
	sha256   string
	licences []string
	omit     bool   // the text doesn't hold for what is linked
	unless   string // the import path of a package; if it is linked, the reading doesn't hold
}

// readings are by the module's path and the file.
var readings = map[string]reading{
	// A choice between FTL and GPL, of which this takes FTL; licenses/ftl.txt has its text.
	"github.com/golang/freetype/LICENSE":          {sha256: "d3ba056adc2b7909e95681deaae397fb37c97ed491a920f491214f07b62c41d0", licences: []string{"FTL"}},
	"github.com/golang/freetype/licenses/gpl.txt": {sha256: "c4120c6752c910c299e3bd9cb3a46ff262c268303ca2069b61f92f10a5656c18", omit: true},
	// Names the licence whose text is in LICENSE.
	"github.com/ajstarks/svgo/LICENSE-link.txt": {sha256: "faef26bb83b741b22eed4593980048f1607bdc679232ca9635ccf505cf2abe77", licences: []string{"CC-BY-4.0"}},
	// Bogaert's words grant nothing that could be named.
	"gonum.org/v1/gonum/THIRD_PARTY_LICENSES/Bogaert-LICENSE": {sha256: "19912b29acb89536920c5bac54feb6a3da6c6989b35b7878f38728fbdb4c1535", omit: true, unless: "gonum.org/v1/gonum/integrate/quad"},
	// BSD-3-Clause among the authors' own words about the generator.
	"gonum.org/v1/gonum/THIRD_PARTY_LICENSES/MT19937-64-LICENSE": {sha256: "c9c37150f4da119e5bacf333f091e7b266bab7b86ec69fa447588fc6cdfd7b61", licences: []string{"BSD-3-Clause"}},
	// "freely granted, provided that this notice is preserved".
	"gonum.org/v1/gonum/THIRD_PARTY_LICENSES/Sun-LICENSE": {sha256: "1fad26590385d93b00c0d91989ee71cd1c91c74a126485f1b4f0bb44f7a32354", licences: []string{"SunPro"}},
	// Of data that one of gonum's tests reads.
	"gonum.org/v1/gonum/THIRD_PARTY_LICENSES/W3C-TestSuite-LICENSE": {sha256: "aa82ad47b727abeada5eeb819a984f2843ba7c9b57da2c9d54fac6e58531b2d4", omit: true, unless: "gonum.org/v1/gonum/graph/formats/rdf"},
	// Go's own licence, and others that hold with GOEXPERIMENT=boringcrypto only.
	"std/src/crypto/internal/boring/LICENSE": {sha256: "56210f826b8f0fbac3160dfe55c97f4019eb6cdda3963b5a0eab8a8bdb62360e", omit: true},
}

// notice are files that say who wrote something, and are passed on as they are.
var notice = regexp.MustCompile(`(?i)^notice`)

// recognize names the licences of a text, and says whether it belongs into the list. It fails for a
// text that is not known, and for licences that are not accepted.
func (p *part) recognize(file string, words []byte) (ids []string, include bool, err error) {
	if r, ok := readings[p.path+"/"+file]; ok {
		switch got := fmt.Sprintf("%x", sha256.Sum256(words)); {
		case got != r.sha256:
			return nil, false, fmt.Errorf("has changed since somebody read it: read it, and put its SHA-256 %s into readings", got)
		case p.packages[r.unless]:
			return nil, false, fmt.Errorf("holds for %s, which is linked now: read it again", r.unless)
		}
		return r.licences, !r.omit, nil
	}
	coverage := licensecheck.Scan(words)
	for _, m := range coverage.Match {
		ids = append(ids, m.ID)
		if !slices.Contains(accepted, m.ID) {
			err = fmt.Errorf("%s is none of the licences that may be linked (%s)", m.ID, strings.Join(accepted, ", "))
		}
	}
	if err == nil && !(coverage.Percent >= known) && !notice.MatchString(path.Base(file)) {
		err = fmt.Errorf("%.0f %% of the text are a known licence, want %d or more: read it, and put what it is into readings", coverage.Percent, known)
	}
	return ids, true, err
}
