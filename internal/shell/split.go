package shell

import (
	"errors"
	"fmt"
	"strings"
)

// Split returns the words of a command line, as [Join] writes them and a POSIX shell reads them:
// words are separated by white space; what is between single quotes is as it is; a backslash escapes
// the next character, between double quotes only a quote, a backslash, $ or a backquote. No shell runs
// the command, so Split returns an error for a character that a shell would treat differently, such
// as an unquoted $ or |.
func Split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	quote := rune(0) // the quote that is open
	escaped := false // by a backslash
	for _, c := range line {
		switch {
		case escaped && c == '\n': // the line goes on
			escaped = false
		case escaped:
			inWord = true
			if quote == '"' && !strings.ContainsRune("\"\\$`", c) {
				word.WriteByte('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped = true
		case c == quote:
			quote = 0
		case quote == '"' && (c == '$' || c == '`'):
			return nil, fmt.Errorf("no shell runs it, and %q would need one: put it in single quotes, or run sh -c '…'",
				string(c))
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case strings.ContainsRune(special, c) && c != '~' && c != '^' && c != '!' && c != '{' && c != '}' && c != '#',
			!inWord && (c == '~' || c == '#'):
			return nil, fmt.Errorf("no shell runs it, and %q would need one: put it in quotes, or run sh -c '…'", string(c))
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	case escaped:
		return nil, errors.New("a backslash at the end escapes nothing")
	case inWord:
		words = append(words, word.String())
	}
	if len(words) == 0 {
		return nil, errors.New("is empty: want a program and its arguments")
	}
	return words, nil
}
