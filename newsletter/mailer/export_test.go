package mailer

// ReadReply lets the fuzz test reach the parser without a socket for each try.
var ReadReply = readReply
