package mockfleet

const maxrssUnit = 1 // getrusage(2) counts in bytes
