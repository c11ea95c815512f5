package gateway

// nipTitle says in a few words what a NIP is about, "" for one that the relay does
// not have.
func nipTitle(nip int) string {
	return map[int]string{
		1:  "Basic protocol",
		4:  "Encrypted direct messages",
		9:  "Deletion requests",
		11: "Relay information",
		13: "Proof of work",
		17: "Private direct messages",
		40: "Expiring events",
		42: "Authentication",
		45: "Counting",
		59: "Gift wraps",
		62: "Requests to vanish",
		65: "Relay lists",
		67: "Completeness of results",
		70: "Protected events",
		77: "Negentropy syncing",
	}[nip]
}
