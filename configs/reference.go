package configs

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
)

// source is the text whose comments are the reference.
//
//go:embed config.go
var source string

// Reference describes every setting: its YAML path, its type, its default, and the comment on its field.
func Reference() string {
	var out strings.Builder
	out.WriteString("base: text\n    Another file that is read first, relative to this one. " +
		"This file then is the lines that differ.\n")
	r := reference{docs: comments(), out: &out}
	r.section(reflect.ValueOf(Default()).Elem(), "")
	return out.String()
}

type reference struct {
	docs map[string]string
	out  *strings.Builder
}

func (r reference) section(v reflect.Value, path string) {
	for _, f := range fields(v) {
		at, doc := join(path, f.name), r.docs[v.Type().Name()+"."+f.goes.Name]
		if f.value.Kind() == reflect.Struct {
			fmt.Fprintf(r.out, "\n%s:\n    %s\n", at, doc)
			r.section(f.value, at)
			continue
		}
		fmt.Fprintf(r.out, "\n%s: %s", at, typeName(f.value.Type()))
		if standard := show(f.value); standard != "" {
			fmt.Fprintf(r.out, ", default %s", standard)
		}
		fmt.Fprintf(r.out, "\n    %s\n", doc)
	}
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

// show writes a value as one would write it in a file; no options are nothing.
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

func oneLine(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }
