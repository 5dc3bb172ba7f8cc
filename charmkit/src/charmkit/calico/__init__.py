"""What the charms of networking-calico have alike: the wheel that it comes as, and the etcd that it speaks to.

Source: Calico's own documents for OpenStack (``[calico]`` in neutron's files), and networking-calico itself.
"""
