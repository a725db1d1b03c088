package profiles

// What the tests look at from outside.
var (
	FileName      = fileName
	ParseFileName = parseFileName
	WriteProfile  = writeProfile
)
