package profiles

// Watched is closed once the capture has taken its goroutines.
func (c *Capture) Watched() <-chan struct{} { return c.watched }

// What the tests look at from outside.
var (
	FileName      = fileName
	ParseFileName = parseFileName
	Clean         = clean
	Decode        = decode
	WriteProfile  = writeProfile
)
