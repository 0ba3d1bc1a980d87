package configs

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"unicode/utf8"
)

// source is the text whose comments are the reference.
//
//go:embed config.go
var source string

// Reference describes every setting: its YAML path, what it may be, its default, and the comment on
// its field or its doc tag. Below a section's options are those of the implementations, each with
// the setting that chooses it.
func (c Catalogue) Reference() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\nbase: text\n%s", referenceHead, paragraph(baseDoc))
	r := reference{catalogue: c, docs: comments(), out: &out}
	r.section(reflect.ValueOf(Default()).Elem(), "", "")
	out.WriteString("\nOld names, which are still read:\n")
	for _, m := range moved {
		fmt.Fprintf(&out, "    %s, now %s\n", m.old, m.now)
	}
	return out.String()
}

const referenceHead = `The settings of a configuration file. frames.past is the key past in the section frames.
What stands in parentheses, such as (sampler.name: ddim), is the choice that an option belongs to:
where something else is chosen, the option is an error.
`

// baseDoc describes the key base, which is not a setting.
const baseDoc = "Another configuration, which is read first; its path is relative to this file. This file then holds only what differs."

type reference struct {
	catalogue Catalogue
	docs      map[string]string
	out       *strings.Builder
}

// section describes the fields of a struct. of says how the implementation that they belong to is
// chosen, if they belong to one.
func (r reference) section(v reflect.Value, path, of string) {
	for _, f := range fields(v) {
		at := join(path, f.name)
		doc, ok := f.goes.Tag.Lookup("doc")
		if !ok {
			doc = r.docs[v.Type().Name()+"."+f.goes.Name]
		}
		if f.value.Kind() == reflect.Struct {
			fmt.Fprintf(r.out, "\n%s:\n%s", at, paragraph(doc))
			r.section(f.value, at, of)
			continue
		}
		what := kind(f)
		if names := r.catalogue.names(at); len(names) > 0 {
			what = strings.Join(names, " or ")
		}
		fmt.Fprintf(r.out, "\n%s: %s", at, what)
		if standard := show(f.value); standard != "" {
			fmt.Fprintf(r.out, ", default %s", standard)
		}
		if of != "" {
			fmt.Fprintf(r.out, " (%s)", of)
		}
		fmt.Fprintf(r.out, "\n%s", paragraph(doc))
		for _, i := range r.catalogue.below(at) {
			r.section(i.options, at, i.String())
		}
	}
}

// kind says what values a setting can have: "integer, 1 to 64", "skip or fail", "list of numbers,
// each 0 or more, and finite".
func kind(f field) string {
	t, each := f.value.Type(), ""
	text := typeName(t)
	if t.Kind() == reflect.Slice {
		t, each = t.Elem(), "each "
	}
	if known := choicesOf(f.goes.Tag); len(known) > 0 {
		if text = strings.Join(known, " or "); each != "" {
			text = "list, each " + text
		}
	}
	if f.second.IsValid() {
		text, each = text+" or list of two", "each "
	}
	if r, ok := rangeOf(f.goes.Tag); ok {
		text += ", " + each + r.describe(typeName(t) == "integer")
	}
	return text
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "list of " + typeName(t.Elem()) + "s"
	case reflect.Map:
		return "mapping"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	return "integer"
}

// show writes a value as it is written in a file; options are shown by themselves.
func show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Map:
		return ""
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = show(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v.Interface())
}

// comments maps "Type.Field" and "Type" to the comments in config.go, each as one line.
func comments() map[string]string {
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", source, parser.ParseComments)
	if err != nil {
		panic(fmt.Sprintf("configs: the embedded source can't be parsed: %v", err))
	}
	docs := map[string]string{}
	for _, decl := range file.Decls {
		types, ok := decl.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, spec := range types.Specs {
			named := spec.(*ast.TypeSpec)
			docs[named.Name.Name] = oneLine(types.Doc)
			if body, ok := named.Type.(*ast.StructType); ok {
				for _, f := range body.Fields.List {
					docs[named.Name.Name+"."+f.Names[0].Name] = oneLine(f.Doc)
				}
			}
		}
	}
	return docs
}

// paragraph indents a text and wraps it at 100 columns.
func paragraph(text string) string {
	const indent, columns = "    ", 100
	var out strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if line != indent && utf8.RuneCountInString(line)+len(" ")+utf8.RuneCountInString(word) > columns {
			out.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return out.String() + line + "\n"
}

func oneLine(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }
