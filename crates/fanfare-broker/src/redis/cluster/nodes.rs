//! The answer to CLUSTER NODES: one line for each node, as the answering node sees it. No I/O.

use crate::redis::connection::{place::Endpoint, resp::Malformed};

/// A node of a Cluster, as another one knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: String,
    /// By its name, where it announces one: certificates have names. `None` where the address is not known.
    pub(super) endpoint: Option<Endpoint>,
    /// Whether it is the node that answered.
    pub(super) is_myself: bool,
    /// Rises with each failover and each slot that it imported.
    pub(super) epoch: u64,
    /// The slots of a master, both ends of each range included. Slots under way are with their old owner.
    pub(super) slots: Vec<(u16, u16)>,
}

impl Known {
    /// Whether it is a master that has the slot.
    pub(super) fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }
}

/// Reads an answer. `asked` is where the answering node is: before its first MEET it does not know its own address.
pub(super) fn read(answer: &str, asked: &Endpoint) -> Result<Vec<Known>, Malformed> {
    answer.lines().filter(|line| !line.is_empty()).map(|line| node(line, asked)).collect()
}

/// `id ip:port@cport[,hostname[,key=value]*] flags master ping pong epoch link [slot|first-last|[slot->-id]]*`
fn node(line: &str, asked: &Endpoint) -> Result<Known, Malformed> {
    let mut fields = line.split(' ');
    let mut next = || fields.next().ok_or(Malformed("a short line in answer to CLUSTER NODES"));
    let (id, address, flags) = (next()?, next()?, next()?);
    let (_master, _ping, _pong, epoch, _link) = (next()?, next()?, next()?, next()?, next()?);
    let epoch = epoch.parse().map_err(|_| Malformed("no epoch in answer to CLUSTER NODES"))?;
    let has_flag = |flag: &str| flags.split(',').any(|has| has == flag);
    let is_myself = has_flag("myself");
    let is_known = !has_flag("noaddr") && !has_flag("handshake");
    let slots = if has_flag("master") { fields.filter_map(slots).collect() } else { Vec::new() };
    let endpoint = endpoint(address, is_myself.then_some(asked)).filter(|_| is_known);
    Ok(Known { id: id.to_owned(), endpoint, is_myself, epoch, slots })
}

fn endpoint(address: &str, asked: Option<&Endpoint>) -> Option<Endpoint> {
    let mut parts = address.split(',');
    let (address, name) = (parts.next()?, parts.next().unwrap_or_default());
    let (address, _bus) = address.split_once('@').unwrap_or((address, ""));
    let (ip, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = if name.is_empty() || name == "?" { ip } else { name };
    if host.is_empty() {
        return asked.map(|asked| Endpoint { port, ..asked.clone() });
    }
    Some(Endpoint { host: host.to_owned(), port })
}

/// A slot or a range of them. A slot under way is in brackets.
fn slots(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of Redis 7.0.15, with shorter ids. The third has failed, and the last one just met the others.
    const SEVEN: &str = "\
07c3 127.0.0.1:30004@31004,hostname4 slave e7d1 0 1426238317239 4 connected
67ed 127.0.0.1:30002@31002, master - 0 1426238316232 2 connected 5461-10922 [77->-e7d1]
292f 127.0.0.1:30003@31003,, master,fail - 1426238318243 1426238316232 3 disconnected 10923-16383
e7d1 127.0.0.1:30001@31001,,tls-port=0,shard-id=69bc myself,master - 0 0 17 connected 0-5 9 12-5460
aaaa :0@0 master,noaddr - 0 0 0 disconnected
bbbb 127.0.0.1:30009@40009 handshake - 0 0 0 connected
";

    fn at(port: u16) -> Endpoint {
        Endpoint { host: "127.0.0.1".into(), port }
    }

    #[test]
    fn each_line_is_a_node() {
        let nodes = read(SEVEN, &at(1)).unwrap();
        let found: Vec<_> = nodes.iter().map(|node| (node.id.as_str(), node.epoch, node.is_myself)).collect();
        assert_eq!(
            found[..4],
            [("07c3", 4, false), ("67ed", 2, false), ("292f", 3, false), ("e7d1", 17, true)]
        );
        let endpoints: Vec<_> = nodes.iter().map(|node| node.endpoint.clone()).collect();
        let named = Endpoint { host: "hostname4".into(), port: 30004 };
        let known = [named, at(30002), at(30003), at(30001)].map(Some);
        assert_eq!(endpoints, [&known[..], &[None, None]].concat());
        assert_eq!(nodes[1].slots, [(5461, 10922)], "a slot under way is still there");
        assert_eq!(nodes[3].slots, [(0, 5), (9, 9), (12, 5460)]);
        assert!(nodes[3].has(9) && !nodes[3].has(10) && nodes[3].has(5460));
    }

    #[test]
    fn a_lonely_node_is_where_it_was_asked() {
        let alone = "7f8e :7001@17001 myself,master - 0 0 0 connected\n";
        assert_eq!(read(alone, &at(7001)).unwrap()[0].endpoint, Some(at(7001)));
        let ipv6 = "7f8e ::1:7001@17001 myself,master - 0 0 0 connected 5";
        assert_eq!(
            read(ipv6, &at(1)).unwrap()[0].endpoint,
            Some(Endpoint { host: "::1".into(), port: 7001 })
        );
    }

    #[test]
    fn other_texts_are_malformed() {
        for text in ["x", "a b c d e f g", "a b c d e f x g"] {
            assert!(read(text, &at(1)).is_err(), "{text}");
        }
        assert_eq!(read("", &at(1)), Ok(Vec::new()));
    }
}
