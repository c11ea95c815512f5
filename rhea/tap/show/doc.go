// Package show prints recordings (package tap): each message inside of each bus
// message is a line, for people and for grep, or a JSON object for programs.
//
//	    time   on the way  subject        message     what it says
//	0.002345     0.310 ms  ingest.1       EventFrame  conn=1a2b3c4d-17 num=12 id=9f3ac21b7e0d4455 kind=1 size=412
//
// Time is in seconds since the recording began; on the way is how long the bus message
// took from its sender to the recorder, as far as their clocks agree. Answers name no
// connection on the bus, only the number of the question; the line names the connection
// that has asked, if the recording holds the question.
//
// It reads forward once and keeps nothing but the numbers of the last half million
// questions.
package show
